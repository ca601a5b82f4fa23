"""Speech: audio files and streams, mel encoders, and speech data sets."""
