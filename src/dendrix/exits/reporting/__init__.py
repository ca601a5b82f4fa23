"""Quality of a policy: curves against oracles, calibration, tables and figures."""
