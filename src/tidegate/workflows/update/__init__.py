"""The story of `tidegate up`, and the verbs that ask or change what runs through a target."""
