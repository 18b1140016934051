"""A worker of the peer benchmark (worker.h has the protocol): a system of Python.

    worker.py onnxruntime | pytorch-eager | torchscript-frozen | pytorch-compile
"""

import os
import sys
import time
import warnings

# The sources may lie in a checkout, or where nobody may write.
sys.dont_write_bytecode = True

WARM_UP_CALLS = 2
MIN_SAMPLES = 3
SAMPLE_SECONDS = 50e-6


def collect(call, seconds):
    """Microseconds a call, sample by sample: CollectCalls of benchmarks/timing.h."""
    clock = time.perf_counter
    for _ in range(WARM_UP_CALLS):
        call()
    start = clock()
    call()
    calls = range(int(min(max(SAMPLE_SECONDS / (clock() - start + 1e-8), 1), 1000)))
    samples = []
    start = clock()
    while len(samples) < MIN_SAMPLES or clock() - start < seconds:
        begin = clock()
        for _ in calls:
            call()
        samples.append((clock() - begin) * 1e6 / len(calls))
    return samples


def serve(system, replies, requests):
    """Answers until the requests end; `system` has `version` and `load`."""

    def reply(text):
        print(" ".join(text.split()), file=replies, flush=True)

    reply(f"ready {system.version}")
    call = None
    for line in requests:
        request, _, words = line.strip().partition(" ")
        try:
            if request == "load":
                net, batch, threads, folder = words.split(" ", 3)
                call = None
                call = system.load(net, int(batch), int(threads), folder)
                reply("loaded")
            elif request == "time":
                reply("us " + " ".join(f"{us:.4f}" for us in collect(call, float(words))))
            else:
                reply(f"error unknown request '{request}'")
        except NotImplementedError as error:
            reply(f"unsupported {error}")
        except Exception as error:  # whatever a library raises belongs in the report
            reply(f"error {type(error).__name__}: {str(error)[:500]}")


def make_system(name):
    """Imports what the system needs; ImportError says what is missing."""
    if name == "onnxruntime":
        import onnx_models
        return onnx_models.OnnxRuntime()
    import torch_models
    return torch_models.SYSTEMS[name]()


def main():
    # Libraries print to standard output; only replies may go where the driver reads.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        system = make_system(sys.argv[1])
    except ImportError as error:
        reason = " ".join(str(error).split())
        print(f"missing {reason} (benchmarks/peers/requirements.txt)", file=replies, flush=True)
        return
    serve(system, replies, sys.stdin)


if __name__ == "__main__":
    main()
