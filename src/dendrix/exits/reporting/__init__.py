"""Reports on policies: curves beside oracles, calibration, tables and figures."""
