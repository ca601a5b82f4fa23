"""Helpers that several tests share, and the modules that tests start in processes of their own: `python -m support.kill_often ...`."""
