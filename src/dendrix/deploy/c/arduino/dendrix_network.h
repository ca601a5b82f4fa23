/* The network for sketches: `#include <dendrix_network.h>`. */
#ifdef __cplusplus
extern "C" {
#endif
#include "dendrix.h"
#include "model.h"
#ifdef __cplusplus
}
#endif
