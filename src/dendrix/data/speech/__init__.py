"""Sound: files and streams, mel encoders, and the speech data sets."""
