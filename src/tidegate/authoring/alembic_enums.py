def complete(context, upgrade, metadata, answers, outcome):
    pass
