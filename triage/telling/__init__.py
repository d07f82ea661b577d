"""Telling: what members of staff hear of, in the app and by mail, each as they chose."""
