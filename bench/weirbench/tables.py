"""Results as tables, and the figures derived from them."""

from . import machine
from .contenders import split_name

#: Where README.md has its table.
BEGIN, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"


def best(rows, accept):
    """The least time among the rows that `accept` takes; None without one."""
    return min((row["ms"] for row in rows if accept(row)), default=None)


def derive(rows, cost, peaks):
    """Adds to each row its share of the machine's peaks and its ratios.

    A ratio is the peer's time over this one's: above 1, this one is faster.
    Prefill is compared with the best peer at the same weight type, decoding with
    llama.cpp at the same weight type; `same_pair_ratio` with the best peer that
    also multiplies in the same type.
    """
    for row in rows:
        engine, weights, compute = split_name(row["name"])
        row.update(engine=engine, weights=weights, compute=compute)
    for row in rows:
        prefill = row["phase"] == "prefill"
        seconds = row["ms"] * 1e-3
        work = cost.prefill_operations() if prefill else cost.decode_operations()
        traffic = cost.weight_bytes(row["weights"])
        row["tokens_per_second"] = (512 if prefill else 1) / seconds
        row["gflops"] = work / seconds * 1e-9
        row["gbs"] = traffic / seconds * 1e-9
        peak = machine.peak_arithmetic(peaks, row["compute"])
        row["arithmetic_share"] = peak and work / seconds / peak
        row["bandwidth_share"] = (
            traffic / seconds / machine.peak_bandwidth(peaks, traffic)
        )
        row["ratio"] = row["same_pair_ratio"] = None
        if row["engine"] != "weir":
            continue

        def same_weights(other):
            return (
                other["engine"] != "weir"
                and other["phase"] == row["phase"]
                and other["weights"] == row["weights"]
                and (prefill or other["engine"] == "llama.cpp")
            )

        rival = best(rows, same_weights)
        pair = best(
            rows,
            lambda other: other["engine"] != "weir"
            and other["phase"] == row["phase"]
            and other["weights"] == row["weights"]
            and other["compute"] == row["compute"],
        )
        row["ratio"] = rival and rival / row["ms"]
        row["same_pair_ratio"] = pair and pair / row["ms"]


def percent(share):
    return "" if share is None else f"{100 * share:.0f} %"


def times(ratio):
    return "" if ratio is None else f"{ratio:.2f}"


def phase_table(rows, phase):
    """Markdown for one phase, the fastest first."""
    prefill = phase == "prefill"
    title = (
        "Prefill of 512 tokens" if prefill else "Decoding at context 512, per token"
    )
    rate = "GFLOP/s" if prefill else "GB/s"
    peer = "best peer, same weights" if prefill else "llama.cpp, same weights"
    lines = [
        f"{title}:",
        "",
        f"| engine | weights | compute | ms | tokens/s | {rate} | of peak | "
        f"× {peer} | × best peer, same pair |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in sorted(rows, key=lambda row: row["ms"]):
        if row["phase"] != phase:
            continue
        mark = "~" if row["wait"] > 0.04 else ""
        name = f"**{row['engine']}**" if row["engine"] == "weir" else row["engine"]
        share = row["arithmetic_share" if prefill else "bandwidth_share"]
        lines.append(
            f"| {name} | {row['weights']} | {row['compute']} | "
            f"{mark}{row['ms']:.4g} | {row['tokens_per_second']:.4g} | "
            f"{row['gflops' if prefill else 'gbs']:.4g} | {percent(share)} | "
            f"{times(row['ratio'])} | {times(row['same_pair_ratio'])} |"
        )
    return "\n".join(lines)


def machine_line(result):
    """One sentence about where the figures come from."""
    about, peaks = result["machine"], result["peaks"]
    rates = ", ".join(
        f"{name.split('_')[0]} {rate:.0f} G{'OP' if 'gops' in name else 'FLOP'}/s"
        for name, rate in peaks.items()
        if name.endswith(("_gflops", "_gops"))
    )
    bandwidth = peaks["read_gbs"]
    largest = max(bandwidth, key=int)
    packages = ", ".join(f"{n} {v}" for n, v in about["packages"].items())
    return (
        f"{about['cpu']}, {result['threads']} threads"
        f"{' (virtual machine)' if about['virtual'] else ''}; measured peaks: "
        f"{rates}, {bandwidth[largest]:.1f} GB/s. weirc {about['weirc']} "
        f"({about['commit']}), {packages}; {about['date'][:10]}."
    )


def markdown(result):
    """A result as text."""
    phases = [
        phase
        for phase in ("prefill", "decode")
        if any(row["phase"] == phase for row in result["rows"])
    ]
    parts = [machine_line(result)]
    parts += [phase_table(result["rows"], phase) for phase in phases]
    if any(row["wait"] > 0.04 for row in result["rows"]):
        parts.append("~: other load disturbed this figure.")
    failures = [f"- {name}: {why}" for name, why in result["failed"].items()]
    if failures:
        parts.append("Not timed:\n\n" + "\n".join(failures))
    return "\n\n".join(parts) + "\n"


def fill(text, table):
    """`text` with its marked section replaced; None when it has no such one."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        return None
    return f"{text[:begin]}{BEGIN}\n\n{table}\n{text[end:]}"
