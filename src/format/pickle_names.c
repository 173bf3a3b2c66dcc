/* Names that a pickle of tensors may hold. torch.save of torch 0.4 to 2.13 writes these for a state_dict. */
#include "pickle.h"

#define STORAGE(name, dtype) { "torch", name "Storage", ROLE_STORAGE, true, DTYPE_##dtype }
#define TYPE(name, dtype)    { "torch", name, ROLE_DTYPE, true, DTYPE_##dtype }
#define NO_STORAGE(name)     { "torch", name "Storage", ROLE_STORAGE, false, 0 }
#define NO_TYPE(name)        { "torch", name, ROLE_DTYPE, false, 0 }
#define CALLED(module, name, role) { module, name, role, false, 0 }

static const pickle_name names[] = {
    STORAGE("Float", F32), STORAGE("Half", F16), STORAGE("BFloat16", BF16), STORAGE("Double", F64),
    STORAGE("Long", I64), STORAGE("Int", I32), STORAGE("Short", I16), STORAGE("Char", I8), STORAGE("Byte", U8),
    STORAGE("Bool", BOOL),
    { "torch.storage", "UntypedStorage", ROLE_STORAGE, true, DTYPE_U8 },
    NO_STORAGE("ComplexFloat"), NO_STORAGE("ComplexDouble"), NO_STORAGE("QInt8"), NO_STORAGE("QUInt8"),
    NO_STORAGE("QInt32"), NO_STORAGE("QUInt4x2"), NO_STORAGE("QUInt2x4"),
    TYPE("float32", F32), TYPE("float16", F16), TYPE("bfloat16", BF16), TYPE("float64", F64), TYPE("int64", I64),
    TYPE("int32", I32), TYPE("int16", I16), TYPE("int8", I8), TYPE("uint64", U64), TYPE("uint32", U32),
    TYPE("uint16", U16), TYPE("uint8", U8), TYPE("bool", BOOL),
    NO_TYPE("float8_e4m3fn"), NO_TYPE("float8_e5m2"), NO_TYPE("float8_e4m3fnuz"), NO_TYPE("float8_e5m2fnuz"),
    NO_TYPE("float8_e8m0fnu"), NO_TYPE("float4_e2m1fn_x2"), NO_TYPE("complex32"), NO_TYPE("complex64"),
    NO_TYPE("complex128"),
    CALLED("collections", "OrderedDict", ROLE_DICT),
    CALLED("torch._utils", "_rebuild_tensor", ROLE_TENSOR),
    CALLED("torch._utils", "_rebuild_tensor_v2", ROLE_TENSOR_V2),
    CALLED("torch._utils", "_rebuild_tensor_v3", ROLE_TENSOR_V3),
    CALLED("torch._utils", "_rebuild_parameter", ROLE_PARAMETER),
    CALLED("torch._utils", "_rebuild_parameter_with_state", ROLE_PARAMETER_STATE),
    CALLED("torch", "Size", ROLE_SIZE),
    CALLED("torch", "device", ROLE_DEVICE),
    CALLED("torch.storage", "TypedStorage", ROLE_NAME),
};

static bool same(const char *text, const char *bytes, size_t len) {
    return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

const pickle_name *pickle_name_find(const char *module, size_t module_len, const char *name, size_t name_len) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (same(names[i].name, name, name_len) && same(names[i].module, module, module_len)) return &names[i];
    return NULL;
}
