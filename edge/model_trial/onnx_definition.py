"""The protobuf messages of ONNX, as a message class: after onnx.proto of ONNX 1.23 (field numbers).

Only what the trial judges has a name here; protobuf passes over the rest. Texts are bytes, so that a name which is no UTF-8
is read and refused like any other. Protobuf itself, not a reader of our own: where a field comes twice, both it and
onnxruntime see the same. It follows a hundred levels of nesting, and refuses more.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

# for each message its fields with their numbers; * is repeated
_MESSAGES: Final = {
    "Entry": "key:bytes=1 value:bytes=2",
    "Opset": "domain:bytes=1 version:int64=2",
    "Tensor": "dims:int64*=1 data_type:int32=2 int64_data:int64*=7 name:bytes=8 raw_data:bytes=9 external_data:Entry*=13"
    " data_location:int32=14",
    "SparseTensor": "values:Tensor=1 indices:Tensor=2",
    "Attribute": "name:bytes=1 i:int64=3 t:Tensor=5 g:Graph=6 tensors:Tensor*=10 graphs:Graph*=11 sparse_tensor:SparseTensor=22"
    " sparse_tensors:SparseTensor*=23",
    "Node": "input:bytes*=1 output:bytes*=2 op_type:bytes=4 attribute:Attribute*=5 domain:bytes=7",
    "Value": "name:bytes=1",
    "Graph": "node:Node*=1 initializer:Tensor*=5 input:Value*=11 sparse_initializer:SparseTensor*=15",
    "Function": "name:bytes=1 node:Node*=7 domain:bytes=10 attribute_proto:Attribute*=11",
    "Training": "initialization:Graph=1 algorithm:Graph=2",
    "Model": "opset_import:Opset*=8 graph:Graph=7 metadata_props:Entry*=14 training_info:Training*=20 functions:Function*=25",
}
# of TensorProto.DataType and TensorProto.DataLocation
STRING: Final = 8
EXTERNAL: Final = 1


def _model_class() -> Any:
    package, field_type = "kullager.onnx", descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="kullager/onnx.proto", package=package, syntax="proto2")
    for message_name, entries in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for entry in entries.split():
            declared, number = entry.split("=")
            name, kind = declared.rstrip("*").split(":")
            label = field_type.LABEL_REPEATED if declared.endswith("*") else field_type.LABEL_OPTIONAL
            place = message.field.add(name=name, number=int(number), label=label)
            if kind in _MESSAGES:
                place.type, place.type_name = field_type.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                place.type = field_type.Type.Value(f"TYPE_{kind.upper()}")
    # a pool of its own: a program that holds onnx itself is not disturbed
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Model"))


WireModel: Final = _model_class()
