"""The taggers: one file each, found by being here when the app is ready, and never by somebody who only needs their words."""

from triage.taggers.base import Evidence, Pattern, Span, Suggestion, Tagger, Taxonomy, Text, Topic, taggers

__all__ = ["Evidence", "Pattern", "Span", "Suggestion", "Tagger", "Taxonomy", "Text", "Topic", "taggers"]
