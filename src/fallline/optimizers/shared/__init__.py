"""What the families share: citations, common hyper-parameters, averages, norms."""
