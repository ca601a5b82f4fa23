// Reads frames of 16-bit values from the serial port and prints the decision after every second without input.
#include <dendrix_network.h>

static uint64_t memory[(DX_SIZE + 7) / 8];

static void restart() { dx_init(memory, sizeof memory, &dx_network, 0); }

void setup() {
  Serial.begin(115200);
  Serial.setTimeout(1000);
  restart();
}

void loop() {
  uint8_t pair[2];
  if (Serial.readBytes(pair, 2) == 2) {
    int16_t value = (int16_t)(pair[0] | pair[1] << 8);
    dx_push(memory, &value, 1);
    return;
  }
  dx_answer answer;
  if (dx_stop(memory) >= 0 && dx_result(memory, &answer) == DX_MORE && answer.label >= 0) Serial.println(dx_network.labels[answer.label]);
  restart();
}
