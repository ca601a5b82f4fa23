"""The QCFS activation, forward and backward."""
