//! Candidates, hypotheses, verified segments, scores and names of disguises.
