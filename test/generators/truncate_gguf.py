#!/usr/bin/env python3
"""Writes a GGUF file with the first layers of another, all else the same.

  truncate_gguf.py IN OUT LAYERS
"""

import re
import sys

from gguf import GGUFReader, GGUFValueType, GGUFWriter


def main():
    source, target, layers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    reader = GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(target, architecture)
    for field in reader.fields.values():
        # The writer adds the header's own fields and the architecture.
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = field.contents()
        if field.name == f"{architecture}.block_count":
            value = layers
        element = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], sub_type=element)
    for tensor in reader.tensors:
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if layer and int(layer[1]) >= layers:
            continue
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
