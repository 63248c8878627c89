"""The protobuf messages of Sparkplug B, as a message class: after the Sparkplug Specification 3.0.0, 6.4 (field numbers).

The inner structure of data sets, templates, nested property sets and metadata is left to be bytes, which look the same on the
wire: what nobody here reads is not parsed, however deep it is.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

# for each message its fields, and those of which it has one at most; numbers go from 1 in this order, * is repeated
_MESSAGES: Final = {
    "PropertyValue": (
        "type:uint32 is_null:bool",
        "int_value:uint32 long_value:uint64 float_value:float double_value:double boolean_value:bool string_value:string"
        " propertyset_value:bytes propertysets_value:bytes extension_value:bytes",
    ),
    "PropertySet": ("keys:string* values:PropertyValue*", ""),
    "Metric": (
        "name:string alias:uint64 timestamp:uint64 datatype:uint32 is_historical:bool is_transient:bool is_null:bool"
        " metadata:bytes properties:PropertySet",
        "int_value:uint32 long_value:uint64 float_value:float double_value:double boolean_value:bool string_value:string"
        " bytes_value:bytes dataset_value:bytes template_value:bytes extension_value:bytes",
    ),
    "Payload": ("timestamp:uint64 metrics:Metric* seq:uint64 uuid:string body:bytes", ""),
}


def _payload_class() -> Any:
    package, field_type = "kullager.sparkplug", descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="kullager/sparkplug_b.proto", package=package, syntax="proto2")
    for message_name, (plain, one_of) in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        if one_of:
            message.oneof_decl.add(name="value")
        for number, entry in enumerate((plain + " " + one_of).split(), start=1):
            name, kind = entry.rstrip("*").split(":")
            label = field_type.LABEL_REPEATED if entry.endswith("*") else field_type.LABEL_OPTIONAL
            place = message.field.add(name=name, number=number, label=label)
            if kind in _MESSAGES:
                place.type, place.type_name = field_type.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                place.type = field_type.Type.Value(f"TYPE_{kind.upper()}")
            if entry in one_of.split():
                place.oneof_index = 0
    # a pool of its own: a program that holds another Sparkplug definition is not disturbed
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Payload"))


WirePayload: Final = _payload_class()
