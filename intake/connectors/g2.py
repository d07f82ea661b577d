"""Reviews of software on G2, in its JSON:API."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Draft, Ignored, RawItem, Unreadable
from intake.connectors.documents import DocumentConnector, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of
from intake.connectors.social import item, object_of, told


@connectors.register
class G2(DocumentConnector):
    slug = "g2"
    name = marked("G2 reviews")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        things = found["data"] if isinstance(found, Mapping) and "data" in found else found
        for thing in things if isinstance(things, list) else [things]:
            if not isinstance(thing, Mapping):
                raise Unreadable("It is no page of reviews. Upload what G2's API answered.")
            said = member(thing, "attributes", default={})
            changed = moment_at(said, "updated_at")[0] or moment_at(said, "submitted_at")[0]
            yield item(text_at(thing, "id"), thing, updated_at=changed)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        thing = object_of(raw)
        said = member(thing, "attributes", default=None)
        if not text_at(thing, "id") or not isinstance(said, Mapping):
            raise Unreadable("It has no id or no attributes, so it is no review. Upload what G2's API answered.")
        if "review" not in text_at(thing, "type") and "survey" not in text_at(thing, "type"):
            raise Ignored("It is something of G2 that is no review.")
        rating, remarks = rated("stars5", said.get("star_rating"), place="star_rating")
        written, late = moment_at(said, "submitted_at")
        marks = member(said, "secondary_answers", default={})
        return Draft(
            text=_answers(member(said, "comment_answers", default={})),
            title=text_at(said, "title"),
            rating=rating,
            product=text_at(said, "product_name"),
            submitted_at=written,
            context=told(
                rating_as_sent=text_at(said, "star_rating") if rating is None else "",
                country=text_at(said, "country_name"),
            )
            | {
                text_at(mark, "text") or name: text_at(mark, "value")
                for name, mark in (marks.items() if isinstance(marks, Mapping) else ())
                if text_at(mark, "value")
            },
            remarks=remarks + late,
            author=text_at(said, "user_name"),
            is_private=said.get("is_public") is False,
        )


def _answers(answers: Any) -> str:
    """Each answer under its question: a dislike read without it would be a praise."""
    parts = []
    for each in answers.values() if isinstance(answers, Mapping) else ():
        value = text_of(text_at(each, "value")).strip()
        if value:
            parts.append("\n".join(filter(None, [text_at(each, "text").strip(), value])))
    return "\n\n".join(parts)
