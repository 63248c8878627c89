"""`python -m edge.model_trial`: the process in which a model is tried; `edge.model_trial.examine` starts it, nobody by hand.

The request is the first argument, the model comes by standard input, and the answer is one line of JSON.
"""

import contextlib
import dataclasses
import sys

import orjson

from edge.contracts.errors import MessageError
from edge.contracts.model_spec import ModelSpec
from edge.formats.json_message import decode
from edge.model_trial.limits import confine
from edge.model_trial.request import Request
from edge.model_trial.trial import judge
from edge.state_detection.onnx_model import MAX_MODEL_BYTES


def main() -> int:
    request = decode(Request, sys.argv[1].encode(), "request")
    # what Python loads at first use is loaded now: no file can be opened later
    with contextlib.suppress(MessageError):
        decode(ModelSpec, b"{}", "nothing")
    confine(request)
    answer = judge(sys.stdin.buffer.read(MAX_MODEL_BYTES + 1), request)
    sys.stdout.buffer.write(orjson.dumps(dataclasses.asdict(answer)) + b"\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
