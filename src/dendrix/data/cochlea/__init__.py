"""A model of the cochlea, from sound to spikes of the auditory nerve."""
