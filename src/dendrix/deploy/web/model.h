/* Limits of the engine for WebAssembly, in place of those that an export to C generates. */
#ifndef DENDRIX_MODEL_H
#define DENDRIX_MODEL_H
#define DX_MEL 1
#define DX_COCHLEA 1
#define DX_MAX_MEL 256
#define DX_MAX_TAPS 256
#define DX_MAX_CLASSES 4096
#define DX_SPIKES 1
#define DX_PACKED 2
#define DX_BOUNDED 2
#define DX_WIDE_SUMS 2
#define DX_WIDE_INPUT 2
#define DX_FEEDBACK 2
#define DX_HAS_CUBA 1
#define DX_HAS_ADLIF 1
#endif
