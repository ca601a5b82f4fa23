/* Spiking image networks in whole numbers: the interface of the engine, and the tables that it reads.
 *
 * No heap, no floating point, no state outside the memory that the caller gives. Five functions:
 *
 *     dx_image_size    bytes of memory that an image needs
 *     dx_image_init    start an image
 *     dx_image_push    its pixels, bytes [height][width][channels], in pieces of any length
 *     dx_image_stop    the image has ended: run its steps until the exit rule is sure
 *     dx_image_result  the decision
 */
#ifndef DENDRIX_IMAGE_H
#define DENDRIX_IMAGE_H
#include "dendrix_decision.h"

enum { DX_SIGNED, DX_IF, DX_POOL, DX_OUT }; /* kinds of stages: two kinds of neurons, sums over windows, and the read-out */
enum { DX_CONV, DX_GAIN, DX_WINDOW };       /* kinds of edges: a convolution, a factor per channel, the windows of a pool */

/* Connections from an earlier map. Weights of a convolution are [in][kernel height][kernel width][out / groups]. Offsets count bytes of the
 * memory of an image. */
typedef struct {
  const int8_t *weight;
  const int32_t *gain;
  uint32_t source_at;
  uint16_t in_height, in_width, in_channels, kernel_height, kernel_width;
  uint16_t stride_height, stride_width, padding_height, padding_width, groups;
  uint8_t kind, shift;
} dx_edge;

/* One stage; its map is [height][width][channels], int16_t, and constants are [channels]. */
typedef struct {
  const dx_edge *edges;
  const int32_t *bias, *threshold, *start;
  uint32_t map_at, membrane_at, sent_at;
  uint16_t height, width, channels, limit, edge_count;
  uint8_t kind;
} dx_stage;

typedef struct {
  const dx_stage *stages;
  const char *const *labels;
  const uint8_t *centre; /* [channels], subtracted from the pixels */
  dx_decision decision;
  uint32_t size, total_at, streak_at, current_at, image_at, steps;
  uint16_t stage_count, height, width, channels;
} dx_image_model;

size_t dx_image_size(const dx_image_model *model);
int dx_image_init(void *memory, size_t size, const dx_image_model *model);
int dx_image_push(void *memory, const uint8_t *pixels, size_t count);
int dx_image_stop(void *memory);
int dx_image_result(const void *memory, dx_answer *answer);

#ifdef DX_TRACE
int dx_image_step(void *memory);                    /* a single step of a complete image */
const int64_t *dx_image_totals(const void *memory); /* accumulated outputs, [classes] */
#endif
#endif
