"""Care of a store: how full it is, what may go, what is damaged."""
