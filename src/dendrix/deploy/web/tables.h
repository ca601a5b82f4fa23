/* Tables of a network in an image of memory that is loaded at run time: shared by the engines for WebAssembly. */
#ifndef DENDRIX_TABLES_H
#define DENDRIX_TABLES_H

#define EXPORT(name) __attribute__((export_name(#name)))
/* Turn the offset of a table, or 0 for none, into its address; `base` is the address of the image. */
#define MOVE(pointer)                                                           \
  do {                                                                          \
    uintptr_t offset = (uintptr_t)(pointer);                                    \
    if (offset) memcpy(&(pointer), &(uintptr_t){base + offset}, sizeof offset); \
  } while (0)

typedef struct {
  uint32_t magic, model;
} image;
#endif
