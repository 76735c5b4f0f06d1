"""The wing that plays the days out: SimPy runs the calendar, kernels run the calls."""
