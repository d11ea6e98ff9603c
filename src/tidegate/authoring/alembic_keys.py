def move(context, upgrade, outcome):
    pass
