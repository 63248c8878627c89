"""The child's work: one model, from bytes to what is to be said of it. What goes wrong is an answer, never an exception."""

from typing import Final

from edge.contracts.errors import ModelError
from edge.contracts.model_spec import SPEC_KEY
from edge.model_trial.allowed import DOMAINS, check_graph
from edge.model_trial.behaviour import try_model
from edge.model_trial.graph import read_graph
from edge.model_trial.request import Answer, Request
from edge.state_detection.onnx_model import OnnxModel

# what onnxruntime says where the kernel gives it no more memory; its errors have no kind for it
_NO_MEMORY: Final = ("bad_alloc", "allocate memory", "bad allocation")


def judge(content: bytes, request: Request) -> Answer:
    """Reads the graph before onnxruntime is given it, then runs it as the edge would."""
    operators: tuple[str, ...] = ()
    opsets: dict[str, int] = {}
    spec = None
    try:
        graph = read_graph(content, request.path)
        check_graph(graph, request.path)
        # not before: of these there are few
        operators = tuple(sorted(f"{domain}.{name}" if domain else name for domain, name in graph.operators))
        opsets = {domain: version for domain, version in graph.opsets.items() if domain in DOMAINS}
        model = OnnxModel.of(content, request.path)
        spec = model.session.get_modelmeta().custom_metadata_map[SPEC_KEY]
        behaviour = try_model(model, request.n_assets)
    except MemoryError:
        problem = no_memory(request)
    except ModelError as error:
        problem = no_memory(request) if any(words in str(error) for words in _NO_MEMORY) else str(error)
    except Exception as error:
        # onnxruntime and numpy raise without a common root, and a model that does this is one to be refused
        problem = f"{request.path}: its trial failed: {type(error).__name__}: {str(error)[:300]}"
    else:
        return Answer(spec=spec, latency_s=behaviour.latency_s, operators=operators, opsets=opsets, notes=behaviour.notes)
    return Answer(spec=spec, operators=operators, opsets=opsets, problem=problem)


def no_memory(request: Request) -> str:
    return f"{request.path}: took more than {in_units(request.memory_bytes)} of memory while it was tried"


def in_units(n_bytes: int) -> str:
    """
    >>> in_units(1 << 30), in_units(1536 << 20), in_units(64 << 20)
    ('1 GB', '1.5 GB', '64 MB')
    """
    return f"{n_bytes / (1 << 30):.3g} GB" if n_bytes >= 1 << 30 else f"{n_bytes / (1 << 20):.3g} MB"
