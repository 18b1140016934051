"""Files in the safetensors layout, with numpy alone (docs/format.md has the bytes)."""

import json

import numpy as np

_DTYPES = {"F32": np.float32, "I64": np.int64}


def read(path):
    """Returns name -> array of an f32 or i64 file."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data, _DTYPES[entry["dtype"]],
                               offset=8 + length + begin,
                               count=(end - begin) // _DTYPES[entry["dtype"]]().itemsize)
        tensors[name] = values.reshape(entry["shape"]).copy()
    return tensors


def write(path, tensors):
    """Writes name -> f32 array."""
    header, offset = {}, 0
    arrays = {name: np.ascontiguousarray(a, np.float32) for name, a in tensors.items()}
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(array.tobytes())
