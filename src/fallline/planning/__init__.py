"""Planning: from what is asked to the runs and the groups that train them."""
