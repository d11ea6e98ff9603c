def add_missed(context, upgrade, metadata, outcome):
    pass
