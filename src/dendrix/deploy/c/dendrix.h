/* Spiking networks in whole numbers: the interface of the engine, and the tables that it reads.
 *
 * No heap, no floating point, no state outside the memory that the caller gives. Five functions:
 *
 *     dx_size    bytes of memory that a stream needs
 *     dx_init    start a stream from rest
 *     dx_push    samples, or frames value by value, in pieces of any length
 *     dx_stop    the input has ended: complete the last frame with zeros and run the tail
 *     dx_result  the decision so far
 */
#ifndef DENDRIX_H
#define DENDRIX_H
#include "dendrix_decision.h"

enum { DX_LIF, DX_CUBA, DX_ADLIF, DX_LI }; /* kinds of neurons */

/* One layer. Weights of the first layer are [out][k][in], of the others [k][in][out]; so are the delays, in steps; those of the first
 * layer are offsets in the history instead, unless packed. A packed weight has 4 bits, with its delay in the upper half of the byte.
 * Constants that are all 0, or that the kind does not use, may be NULL. Offsets count bytes of the memory of a stream. */
typedef struct {
  uint16_t inputs, outputs, taps, synapses, feedback_taps, feedback_synapses;
  uint8_t kind, soft, shift, feedback_shift, packed, wide, feedback_wide, bounded; /* bounded: membranes stay below 2^30 */
  const int8_t *weight, *feedback_weight;
  const uint8_t *delay, *feedback_delay;
  const uint16_t *decay, *slow_decay;
  const int32_t *bias, *threshold, *reset, *start, *coupling, *jump;
  uint32_t membrane_at, slow_at, pending_at, feedback_at;
  uint32_t fired_at; /* spikes of the last step, a bit each; only with DX_SPIKES */
} dx_layer;

/* Log-mel frames of samples, with automatic gain where keep is not 0. */
typedef struct {
  uint32_t keep, floor;
  uint16_t window, points, channels; /* points: of the complex transform, half of the real one */
  uint8_t centred, shift;
  const int16_t *hann;   /* [window / 2 + 1]: the second half mirrors the first */
  const int32_t *cosine; /* [points / 2 + 1], of pi k / points, in 31 fractional bits */
  const uint16_t *filter_start, *filter_length, *filter;
  const uint32_t *logarithm; /* [65], log2(1 + i / 64) in 16 fractional bits */
  uint64_t energy_floor;
  int64_t gain, offset;
  uint32_t level_at, past_at, scratch_at;
} dx_mel;

/* Spike counts of a cochlea, the sum of `group` cells for each channel; `CochleaTables` of dendrix says what the numbers are. */
typedef struct {
  uint64_t seed;
  int64_t grow, refill;
  const int32_t *drive, *near, *far; /* [cells] */
  uint32_t keep, floor, ramp;
  int32_t gain, offset, half_point, half_g, half_y, reprocessed, settled, mean, kept, w_kept, w_gain, fired;
  int32_t keep_current, keep_membrane, charge, start_q, start_c, start_w;
  uint32_t ear_at;
  uint16_t cells, group;
  uint8_t pause;
} dx_cochlea;

typedef struct {
  const dx_layer *layers;
  const dx_mel *mel;         /* front end of samples, or NULL */
  const dx_cochlea *cochlea; /* another one, or NULL; without both, frames are pushed */
  const char *const *labels;
  dx_decision decision;
  uint32_t size, history_at, frame_at, total_at, streak_at, rate;
  uint16_t layer_count, channels, tail, block, hop; /* block: channels of a block of the history; hop: samples of a frame, or 0 */
  uint8_t wide_input;
} dx_model;

size_t dx_size(const dx_model *model);
int dx_init(void *memory, size_t size, const dx_model *model, uint32_t rate); /* rate 0: frames are pushed */
int dx_push(void *memory, const int16_t *values, size_t count);
int dx_stop(void *memory);
int dx_result(const void *memory, dx_answer *answer);

/* With DX_SPIKES: run a step on a frame of values, or on zeros for NULL, and the spikes of a layer in the last step, lowest bit first. */
void dx_run(void *memory, const int16_t *frame);
const uint8_t *dx_spikes(const void *memory, unsigned layer);

#ifdef DX_TRACE
const int64_t *dx_totals(const void *memory); /* accumulated outputs, [classes], for tests */
#endif
#endif
