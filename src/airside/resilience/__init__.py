"""Against failing dependencies, hanging neighbours and too much at once; and telling operators of it."""
