// Listens to a PDM microphone and prints what it hears. Boards with the PDM library: Arduino Nano 33 BLE Sense, Nano RP2040 Connect.
// For a microphone on I2S, replace the PDM calls by those of the I2S library of the board; samples have 16 bits, mono, at DX_RATE_HZ.
#include <PDM.h>
#include <dendrix_network.h>

static uint64_t memory[(DX_SIZE + 7) / 8];
static int16_t samples[512];
static volatile int ready = 0;

static void received() {
  int bytes = PDM.available();
  if (bytes > (int)sizeof samples) bytes = sizeof samples;
  PDM.read(samples, bytes);
  ready = bytes / 2;
}

static void restart() { dx_init(memory, sizeof memory, &dx_network, DX_RATE_HZ); }

void setup() {
  Serial.begin(115200);
  restart();
  PDM.onReceive(received);
  if (!PDM.begin(1, DX_RATE_HZ)) {
    Serial.println("The microphone does not offer this rate.");
    for (;;) {}
  }
}

// A decision at every stop of the exit rule, or after one second.
void loop() {
  noInterrupts();
  int count = ready;
  ready = 0;
  static int16_t piece[512];
  for (int i = 0; i < count; i++) piece[i] = samples[i];
  interrupts();
  if (!count) return;

  static uint32_t heard = 0;
  heard += count;
  int status = dx_push(memory, piece, count);
  if (status != DX_SURE && heard < DX_RATE_HZ) return;
  if (status != DX_SURE) dx_stop(memory);
  dx_answer answer;
  dx_result(memory, &answer);
  if (answer.label >= 0) {
    Serial.print(dx_network.labels[answer.label]);
    Serial.print(" ");
    Serial.println(answer.confidence / 65536.0f);
  }
  heard = 0;
  restart();
}
