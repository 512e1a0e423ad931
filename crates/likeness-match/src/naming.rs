//! Names of disguises, derived from the measured transforms.
