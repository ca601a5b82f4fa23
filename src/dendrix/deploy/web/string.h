/* The functions of the C library that the engine uses, as instructions of WebAssembly. */
#define memset __builtin_memset
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
