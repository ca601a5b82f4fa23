"""From a record of outputs to a policy: goals, scales, thresholds per step, guarantees."""
