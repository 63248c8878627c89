"""A model is tried in a process of its own, with bounded memory and time, before it goes into service.

    examination = await examine(path, {"press-1": asset})
    if examination.problem is None: ...

`examination` and `signature` are what others need. Nothing is imported here: the process of the trial is to start quickly.
"""
