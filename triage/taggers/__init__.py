"""The taggers: one file each, found by being here."""

from triage.taggers.base import Evidence, Pattern, Span, Suggestion, Tagger, Taxonomy, Text, Topic, taggers

__all__ = ["Evidence", "Pattern", "Span", "Suggestion", "Tagger", "Taxonomy", "Text", "Topic", "taggers"]

taggers.load(__name__)
