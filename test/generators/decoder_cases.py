"""Checkpoints of decoders with softmax attention: the options of one family
spread over as few cases as they fit in, since each case is compiled.
"""

from dataclasses import replace

from cases import Case, llama


def decoder(model, **config):
    """A case of a family that names its sizes as Llama does."""
    return Case(model, case_config(**config))


def case_config(**options):
    return llama(num_hidden_layers=2, vocab_size=151, **options)


def centred(model, *, eps="layer_norm_eps", **options):
    """The same with another name of the epsilon."""
    config = case_config(**options)
    config[eps] = config.pop("rms_norm_eps")
    return Case(model, config)


def neox(**options):
    """The configuration of a family without shared keys."""
    config = centred("", **options).config
    del config["num_key_value_heads"]
    return config


def pick(config, **renamed):
    """Entries of a configuration under other names."""
    return {new: config[old] for new, old in renamed.items()}


def gpt(model, **options):
    """A case of a family that names its sizes as GPT-2 does."""
    config = pick(
        case_config(),
        vocab_size="vocab_size",
        n_embd="hidden_size",
        n_layer="num_hidden_layers",
        n_head="num_attention_heads",
        n_positions="max_position_embeddings",
        layer_norm_epsilon="rms_norm_eps",
        bos_token_id="bos_token_id",
        eos_token_id="eos_token_id",
    )
    return Case(model, {**config, **options})


def bloom(model, **options):
    """A case of a family that names its sizes as BLOOM does."""
    config = pick(
        case_config(),
        vocab_size="vocab_size",
        hidden_size="hidden_size",
        layer_norm_epsilon="rms_norm_eps",
        bos_token_id="bos_token_id",
        eos_token_id="eos_token_id",
    )
    return Case(model, {**config, **options})


def xglm(**options):
    """A case of a family that names its sizes as fairseq does."""
    config = pick(
        case_config(),
        vocab_size="vocab_size",
        d_model="hidden_size",
        ffn_dim="intermediate_size",
        num_layers="num_hidden_layers",
        attention_heads="num_attention_heads",
        max_position_embeddings="max_position_embeddings",
        bos_token_id="bos_token_id",
        eos_token_id="eos_token_id",
    )
    return Case("XGLMForCausalLM", {**config, **options})


def old_gemma3(config):
    """Rotations in the keys of the first files, kinds of layers by a pattern."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope["full_attention"]["rope_theta"]
    config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = {"rope_type": "linear", "factor": 8.0}
    config["sliding_window_pattern"] = 3
    del config["layer_types"], config["_sliding_window_pattern"]


def old_neox(config):
    """A rotation in the keys of the first files."""
    rope = config.pop("rope_parameters")
    config["rotary_emb_base"] = rope["rope_theta"]
    config["rotary_pct"] = rope["partial_rotary_factor"]


def two_ropes(full, near):
    return {"full_attention": full, "sliding_attention": near}


def old_modernbert(config):
    """Rotations and kinds of layers in the keys of the first files."""
    rope = config.pop("rope_parameters")
    config["global_rope_theta"] = rope["full_attention"]["rope_theta"]
    config["local_rope_theta"] = rope["sliding_attention"]["rope_theta"]
    config["global_attn_every_n_layers"] = 2
    del config["layer_types"]


def without(config, *keys):
    """A configuration that leaves some keys to the family."""
    return {key: value for key, value in config.items() if key not in keys}


def cwm(**options):
    """The configuration of a family that has to have its tokens."""
    return without(case_config(**options), "bos_token_id", "eos_token_id")


def causal_modernbert(**options):
    """A case of the decoder that is made like that encoder."""
    case = encoder("ModernBertDecoderForCausalLM", eps="norm_eps", **options)
    config = without(case.config, "bos_token_id", "eos_token_id")
    return replace(case, config=config, generate=True)


def encoder(model, *, eps="layer_norm_eps", spell=None, pad="right", **options):
    """A case of an encoder, which has nothing to decode."""
    config = neox(**options)
    if eps != "layer_norm_eps":
        config[eps] = config.pop("layer_norm_eps")
    return Case(model, config, spell=spell, pad=pad, generate=False)


GEMMA = dict(head_dim=16, query_pre_attn_scalar=24)

DECODER_CASES = {
    "gemma_biases_old_gelu_padded": Case(
        "GemmaForCausalLM",
        case_config(head_dim=20, attention_bias=True),
        spell=lambda config: config.update(hidden_act="gelu"),
        pad="left",
    ),
    "gemma2_caps_windows": Case(
        "Gemma2ForCausalLM",
        case_config(
            **GEMMA,
            sliding_window=7,
            attention_bias=True,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        ),
        pad="right",
    ),
    "gemma2_uncapped_untied_listed": decoder(
        "Gemma2ForCausalLM",
        **GEMMA,
        sliding_window=5,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        tie_word_embeddings=False,
        layer_types=["full_attention", "sliding_attention"],
    ),
    "gemma3_old_spelling_cap": Case(
        "Gemma3ForCausalLM",
        {
            **case_config(
                **GEMMA,
                sliding_window=6,
                attention_bias=True,
                final_logit_softcapping=4.0,
                attn_logit_softcapping=2.0,
                layer_types=["sliding_attention"] * 2 + ["full_attention"],
                rope_parameters=two_ropes(
                    dict(rope_type="linear", factor=8.0, rope_theta=5e5),
                    dict(rope_type="default", rope_theta=2e3),
                ),
            ),
            "num_hidden_layers": 3,
        },
        spell=old_gemma3,
    ),
    # It looks ahead, so that there is nothing to decode.
    "gemma3_both_sides": Case(
        "Gemma3ForCausalLM",
        case_config(
            **GEMMA,
            sliding_window=9,
            use_bidirectional_attention=True,
            layer_types=["sliding_attention", "full_attention"],
        ),
        generate=False,
    ),
    "gpt_oss_three_kinds": Case(
        "GptOssForCausalLM",
        {
            **case_config(
                head_dim=12,
                sliding_window=5,
                attention_bias=False,
                num_local_experts=5,
                num_experts_per_tok=3,
                swiglu_alpha=1.3,
                swiglu_limit=0.9,
                tie_word_embeddings=True,
                layer_types=["full_attention"] * 2 + ["sliding_attention"],
                rope_parameters=dict(rope_type="default", rope_theta=700.0),
            ),
            "num_hidden_layers": 3,
        },
        pad="left",
    ),
    "gpt_oss_mxfp4": Case(
        "GptOssForCausalLM",
        case_config(
            head_dim=12,
            hidden_size=96,
            intermediate_size=160,
            sliding_window=9,
            attention_bias=True,
            num_local_experts=5,
            num_experts_per_tok=2,
            rope_parameters=dict(rope_type="default", rope_theta=700.0),
        ),
        dtype="bfloat16",
        mxfp4=True,
    ),
    # Rows of 160, 96, 192 and 72, the last no whole groups; blocks are cut.
    "qwen3_fp8": Case(
        "Qwen3ForCausalLM",
        case_config(head_dim=48, hidden_size=160, intermediate_size=264),
        dtype="bfloat16",
        fp8=128,
    ),
    "qwen3_fp8_tensors": Case(
        "Qwen3ForCausalLM",
        case_config(head_dim=32, hidden_size=96, intermediate_size=160),
        fp8=0,
        skipped=("o_proj",),
    ),
    "phi3_partial_window": decoder(
        "Phi3ForCausalLM",
        sliding_window=11,
        tie_word_embeddings=True,
        original_max_position_embeddings=256,
        pad_token_id=None,
        rope_parameters=dict(rope_theta=300.0, partial_rotary_factor=0.5),
    ),
    "phi3_longrope": decoder(
        "Phi3ForCausalLM",
        original_max_position_embeddings=64,
        pad_token_id=None,
        rope_parameters=dict(
            rope_type="longrope",
            short_factor=[1.0 + 0.1 * i for i in range(8)],
            long_factor=[1.5 + 0.4 * i for i in range(8)],
        ),
    ),
    "phi_head_norms_relu2": centred(
        "PhiForCausalLM",
        qk_layernorm=True,
        hidden_act="relu2",
        num_key_value_heads=1,
        rope_parameters=dict(rope_theta=1e3, partial_rotary_factor=0.25),
    ),
    "gpt_neox_old_spelling": Case(
        "GPTNeoXForCausalLM",
        neox(
            hidden_act="gelu_fast",
            rope_parameters=dict(rope_theta=2e3, partial_rotary_factor=0.5),
        ),
        spell=old_neox,
        pad="left",
    ),
    "gpt_neox_serial_no_biases": Case(
        "GPTNeoXForCausalLM",
        neox(
            use_parallel_residual=False,
            attention_bias=False,
            tie_word_embeddings=True,
        ),
    ),
    "gptj": gpt("GPTJForCausalLM", rotary_dim=6, n_inner=72),
    "gpt_bigcode_shared_key": gpt("GPTBigCodeForCausalLM", n_inner=72),
    "gpt_bigcode_own_keys_unscaled": gpt(
        "GPTBigCodeForCausalLM",
        multi_query=False,
        scale_attn_weights=False,
        tie_word_embeddings=False,
    ),
    "gpt_neo": Case(
        "GPTNeoForCausalLM",
        {
            **bloom("GPTNeoForCausalLM").config,
            "num_layers": 3,
            "num_heads": 4,
            "max_position_embeddings": 160,
            "attention_types": [[["global", "local"], 1], [["local"], 1]],
            "window_size": 6,
            "intermediate_size": 72,
        },
    ),
    "stablelm_parallel_head_norms": centred(
        "StableLmForCausalLM",
        use_qkv_bias=True,
        qk_layernorm=True,
        use_parallel_residual=True,
        tie_word_embeddings=True,
    ),
    "starcoder2_window": centred(
        "Starcoder2ForCausalLM", eps="norm_epsilon", sliding_window=9
    ),
    "cohere_head_norms": centred(
        "CohereForCausalLM", use_qk_norm=True, attention_bias=True, logit_scale=0.4
    ),
    "cohere2_windows": centred(
        "Cohere2ForCausalLM",
        head_dim=12,
        sliding_window=6,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "olmo_clipped": decoder("OlmoForCausalLM", clip_qkv=0.8, attention_bias=True),
    "olmo2": decoder("Olmo2ForCausalLM", attention_bias=True),
    # In objects of kinds of layers, transformers does not see `truncate`.
    "olmo3_windows_yarn": decoder(
        "Olmo3ForCausalLM",
        sliding_window=7,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=two_ropes(
            dict(
                rope_type="yarn",
                factor=4.0,
                truncate=False,
                original_max_position_embeddings=64,
                rope_theta=1e3,
            ),
            dict(rope_type="default", rope_theta=2e3),
        ),
    ),
    "granite_multipliers": decoder(
        "GraniteForCausalLM",
        embedding_multiplier=3.0,
        attention_multiplier=0.4,
        residual_multiplier=0.6,
        logits_scaling=2.5,
        attention_bias=True,
        mlp_bias=True,
    ),
    "glm_no_biases": decoder(
        "GlmForCausalLM", head_dim=16, attention_bias=False, pad_token_id=None
    ),
    "glm4_partial": decoder(
        "Glm4ForCausalLM",
        head_dim=16,
        pad_token_id=None,
        rope_parameters=dict(rope_theta=1e3, partial_rotary_factor=0.75),
    ),
    "nemotron_biases": centred(
        "NemotronForCausalLM",
        eps="norm_eps",
        head_dim=20,
        attention_bias=True,
        mlp_bias=True,
    ),
    "smollm3_windows": decoder(
        "SmolLM3ForCausalLM",
        no_rope_layers=[1, 0],
        use_sliding_window=True,
        sliding_window=8,
        mlp_bias=True,
        attention_bias=True,
        pad_token_id=None,
    ),
    "exaone4_windows": decoder(
        "Exaone4ForCausalLM",
        sliding_window=6,
        sliding_window_pattern="LG",
        layer_types=["sliding_attention", "full_attention"],
    ),
    "exaone4_full": decoder(
        "Exaone4ForCausalLM",
        sliding_window=None,
        layer_types=["full_attention"] * 2,
    ),
    "helium_biases": decoder(
        "HeliumForCausalLM",
        head_dim=16,
        attention_bias=True,
        mlp_bias=True,
        pad_token_id=None,
    ),
    "ministral_windows": decoder(
        "MinistralForCausalLM",
        sliding_window=7,
        head_dim=12,
        layer_types=["full_attention", "sliding_attention"],
    ),
    "arcee_biases": decoder(
        "ArceeForCausalLM", attention_bias=True, mlp_bias=True, head_dim=12
    ),
    "seed_oss": decoder(
        "SeedOssForCausalLM",
        attention_out_bias=True,
        mlp_bias=True,
        head_dim=12,
        pad_token_id=None,
    ),
    "hunyuan_dense_alpha": decoder(
        "HunYuanDenseV1ForCausalLM",
        head_dim=12,
        attention_bias=True,
        pad_token_id=None,
        rope_parameters=dict(
            rope_type="dynamic", alpha=50.0, factor=1.0, rope_theta=1e3
        ),
    ),
    "ernie4_5_biases": decoder(
        "Ernie4_5ForCausalLM", use_bias=True, head_dim=12, pad_token_id=None
    ),
    # Slopes of heads that are no power of two.
    "bloom_odd_heads_padded": Case(
        "BloomForCausalLM",
        bloom("", n_layer=2, n_head=6, hidden_size=72).config,
        pad="left",
    ),
    "bloom_from_norms": bloom(
        "BloomForCausalLM",
        n_layer=2,
        n_head=4,
        apply_residual_connection_post_layernorm=True,
    ),
    "mpt_odd_heads_clipped": Case(
        "MptForCausalLM",
        dict(
            vocab_size=151,
            d_model=72,
            n_heads=6,
            n_layers=2,
            max_seq_len=160,
            layer_norm_epsilon=1e-3,
            attn_config=dict(clip_qkv=0.9, softmax_scale=0.3),
        ),
    ),
    "opt_in_front": Case(
        "OPTForCausalLM",
        dict(
            vocab_size=151,
            hidden_size=64,
            ffn_dim=80,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=160,
            word_embed_proj_dim=40,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
        ),
        pad="left",
    ),
    "opt_behind_no_biases": Case(
        "OPTForCausalLM",
        dict(
            vocab_size=151,
            hidden_size=64,
            ffn_dim=80,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=160,
            do_layer_norm_before=False,
            enable_bias=False,
            layer_norm_elementwise_affine=False,
            activation_function="gelu",
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
        ),
    ),
    "falcon_grouped": bloom(
        "FalconForCausalLM",
        num_hidden_layers=2,
        num_attention_heads=4,
        num_kv_heads=2,
        new_decoder_architecture=True,
        bias=True,
        ffn_hidden_size=72,
    ),
    "falcon_grouped_one_norm": bloom(
        "FalconForCausalLM",
        num_hidden_layers=2,
        num_attention_heads=4,
        num_kv_heads=4,
        new_decoder_architecture=True,
        num_ln_in_parallel_attn=1,
        tie_word_embeddings=False,
    ),
    "falcon_shared_key": bloom(
        "FalconForCausalLM", num_hidden_layers=2, num_attention_heads=4
    ),
    "falcon_slopes_serial_padded": Case(
        "FalconForCausalLM",
        bloom(
            "",
            num_hidden_layers=2,
            num_attention_heads=6,
            hidden_size=72,
            alibi=True,
            multi_query=False,
            parallel_attn=False,
            bias=True,
        ).config,
        pad="left",
        lengths=(37, 300),
        # The eager one adds the slopes twice.
        attention="sdpa",
    ),
    "gguf_gemma2_q8_0": Case(
        "Gemma2ForCausalLM",
        case_config(head_dim=32, query_pre_attn_scalar=32, sliding_window=8),
        gguf="Q8_0",
    ),
    "gguf_gemma3_f16": Case(
        "Gemma3ForCausalLM",
        {
            **case_config(head_dim=16, query_pre_attn_scalar=16, sliding_window=8),
            "num_hidden_layers": 7,
        },
        gguf="F16",
    ),
    "gguf_phi3_f32": Case(
        "Phi3ForCausalLM",
        case_config(
            pad_token_id=None,
            rope_parameters=dict(rope_theta=1e3, partial_rotary_factor=0.5),
        ),
        gguf="F32",
    ),
}

LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
    rope_theta=500.0,
)

GROWING = dict(
    rope_type="yarn",
    rope_theta=1000.0,
    factor=4.0,
    original_max_position_embeddings=16,
    llama_4_scaling_beta=0.3,
)

DECODER_CASES |= {
    "vaultgemma_caps_windows": Case(
        "VaultGemmaForCausalLM",
        case_config(
            **GEMMA,
            sliding_window=7,
            attention_bias=True,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        ),
        pad="right",
    ),
    "vaultgemma_uncapped_untied_listed": decoder(
        "VaultGemmaForCausalLM",
        **GEMMA,
        sliding_window=5,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        tie_word_embeddings=False,
        layer_types=["full_attention", "sliding_attention"],
    ),
    "apertus_biases": Case(
        "ApertusForCausalLM",
        case_config(attention_bias=True, rope_parameters=LLAMA3),
        pad="right",
    ),
    "apertus_other_activation_no_rope": Case(
        "ApertusForCausalLM",
        case_config(hidden_act="relu2", head_dim=20, tie_word_embeddings=True),
        spell=lambda config: config.pop("rope_parameters"),
    ),
    "nanochat_biases": Case(
        "NanoChatForCausalLM", case_config(attention_bias=True), pad="right"
    ),
    "nanochat_uncapped_tied": decoder(
        "NanoChatForCausalLM",
        final_logit_softcapping=None,
        tie_word_embeddings=True,
        head_dim=10,
        rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=500.0),
    ),
    "cwm_usual_layers_no_rope": Case(
        "CwmForCausalLM",
        cwm(head_dim=12, sliding_window=7, mlp_bias=True) | dict(num_hidden_layers=5),
        spell=lambda config: config.pop("rope_parameters"),
        pad="right",
    ),
    "cwm_listed_tied": Case(
        "CwmForCausalLM",
        cwm(
            head_dim=18,
            sliding_window=3,
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters=LLAMA3,
            tie_word_embeddings=True,
        ),
    ),
    "ministral3_growth": Case(
        "Ministral3ForCausalLM",
        case_config(head_dim=12, rope_parameters=GROWING),
        pad="right",
    ),
    "ministral3_window_linear": decoder(
        "Ministral3ForCausalLM",
        head_dim=16,
        sliding_window=9,
        rope_parameters=GROWING | dict(rope_type="linear"),
        tie_word_embeddings=True,
    ),
    "modernbert_decoder_biases": causal_modernbert(
        attention_bias=True,
        mlp_bias=True,
        norm_bias=True,
        classifier_bias=True,
        decoder_bias=False,
        tie_word_embeddings=False,
        local_attention=13,
        pad_token_id=3,
        hidden_activation="silu",
        classifier_activation="relu",
        layer_types=["sliding_attention", "full_attention"],
    ),
    "modernbert_decoder_old_spelling": causal_modernbert(
        spell=old_modernbert,
        local_attention=10,
        pad_token_id=0,
        layer_types=["full_attention", "sliding_attention"],
        rope_parameters=two_ropes(
            dict(rope_type="default", rope_theta=5e4),
            dict(rope_type="default", rope_theta=2e3),
        ),
    ),
    "jais2_biases": Case(
        "Jais2ForCausalLM", centred("", num_key_value_heads=4).config, pad="right"
    ),
    "jais2_no_biases_tied": centred(
        "Jais2ForCausalLM",
        attention_bias=False,
        mlp_bias=False,
        head_dim=10,
        hidden_act="gelu",
        tie_word_embeddings=True,
    ),
    "bitnet_biases": Case(
        "BitNetForCausalLM",
        case_config(attention_bias=True, tie_word_embeddings=True),
        pad="right",
    ),
    "codegen": Case(
        "CodeGenForCausalLM", gpt("", rotary_dim=6, n_head=8).config, pad="right"
    ),
    "codegen_tied_inner": gpt(
        "CodeGenForCausalLM",
        rotary_dim=16,
        n_inner=30,
        activation_function="relu",
        tie_word_embeddings=True,
    ),
    "persimmon": Case("PersimmonForCausalLM", neox(), pad="right"),
    "persimmon_no_head_norms_whole": Case(
        "PersimmonForCausalLM",
        neox(
            qk_layernorm=False,
            hidden_act="gelu",
            tie_word_embeddings=True,
            rope_parameters=dict(rope_theta=1e3, partial_rotary_factor=1.0),
        ),
    ),
    "gpt_neox_japanese": Case(
        "GPTNeoXJapaneseForCausalLM",
        without(neox(), "intermediate_size") | dict(intermediate_multiple_size=3),
        pad="right",
    ),
    "gpt_neox_japanese_old_spelling_one_layer": Case(
        "GPTNeoXJapaneseForCausalLM",
        without(neox(), "intermediate_size")
        | dict(
            num_hidden_layers=1,
            intermediate_multiple_size=2,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_theta=1e3, partial_rotary_factor=0.5),
        ),
        spell=old_neox,
    ),
    "openai_gpt": gpt("OpenAIGPTLMHeadModel"),
    "openai_gpt_relu_untied": gpt(
        "OpenAIGPTLMHeadModel", afn="relu", tie_word_embeddings=False
    ),
    "biogpt": Case("BioGptForCausalLM", neox(), pad="right"),
    "biogpt_unscaled_untied": Case(
        "BioGptForCausalLM",
        neox(scale_embedding=False, tie_word_embeddings=False, hidden_act="relu"),
    ),
    "xglm_odd_features": xglm(d_model=45, attention_heads=3, scale_embedding=False),
    "xglm_padding_has_no_position": xglm(pad_token_id=7, tie_word_embeddings=False),
}
