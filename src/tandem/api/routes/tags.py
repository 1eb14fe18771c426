"""Rolling tags of shops: made, listed, switched off and on, and what is written on their chips."""

from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

from tandem.api.operation import Call, ListQuery, Page, operation, page
from tandem.kernel import read_id
from tandem.tags import (
    CreateTag,
    TagKeysWithheld,
    TagPackage,
    TagRevoked,
    Tags,
    TagView,
    UpdateTag,
    tag_view,
)


class Services(Protocol):
    """What these operations use."""

    @property
    def tags(self) -> Tags:
        """The use cases of tags."""
        ...


class TagsQuery(ListQuery, frozen=True):
    """Which tags to list."""

    shop_id: Annotated[
        str | None,
        Meta(description="Those of this shop", examples=["shp_0199f0a4c0de70008000000000000003"]),
    ] = None


@operation(
    "POST",
    "/v1/tags",
    tag="Tags",
    summary="Make a rolling tag",
    who=("merchant",),
    scope="shops:write",
    status=201,
    idempotency="required",
)
async def create_tag(call: Call[Services], body: CreateTag) -> TagView:
    """A tag for a shop or a till, with keys of its own. Its chip is written next.

    Get its keys and give them to `tandem tag write --rolling`. From the first tap on the keys are
    not given out any more.
    """
    made = await call.services.tags.create(
        call.principal.owner_id,
        body.name,
        call.idempotency,
        shop_id=None if body.shop_id is None else read_id("shp", body.shop_id, "shop_id"),
        till_id=None if body.till_id is None else read_id("til", body.till_id, "till_id"),
    )
    return tag_view(made)


@operation(
    "GET", "/v1/tags", tag="Tags", summary="List tags", who=("merchant",), scope="shops:read"
)
async def list_tags(call: Call[Services], query: TagsQuery) -> Page[TagView]:
    """Tags of all shops or of one, revoked ones too, newest first."""
    shop_id = None if query.shop_id is None else read_id("shp", query.shop_id, "shop_id")
    rows = await call.services.tags.all(
        call.principal.owner_id, shop_id, query.after_id("tag"), query.limit + 1
    )
    return page(rows, query.limit, tag_view)


@operation(
    "GET",
    "/v1/tags/{tag_id}",
    tag="Tags",
    summary="Get a tag",
    who=("merchant",),
    scope="shops:read",
)
async def get_tag(call: Call[Services], tag_id: UUID) -> TagView:
    """One tag, with how often and when it was tapped last."""
    return tag_view(await call.services.tags.get(call.principal.owner_id, tag_id))


@operation(
    "PATCH",
    "/v1/tags/{tag_id}",
    tag="Tags",
    summary="Rename a tag",
    who=("merchant",),
    scope="shops:write",
)
async def update_tag(call: Call[Services], tag_id: UUID, body: UpdateTag) -> TagView:
    """Call it otherwise. Which shop it is of stays: revoke it and make another."""
    return tag_view(await call.services.tags.rename(call.principal.owner_id, tag_id, body.name))


@operation(
    "POST",
    "/v1/tags/{tag_id}/keys",
    tag="Tags",
    summary="Get a tag's keys",
    who=("merchant",),
    scope="shops:write",
    errors=(TagKeysWithheld,),
)
async def get_tag_keys(call: Call[Services], tag_id: UUID) -> TagPackage:
    """What is written on the chip: its link and its keys. Who has them can copy the tag.

    Only of a tag that was never tapped, to write it, or that is revoked, to wipe it
    (`tandem tag wipe`).
    """
    return await call.services.tags.keys(call.principal.owner_id, tag_id)


@operation(
    "POST",
    "/v1/tags/{tag_id}/suspend",
    tag="Tags",
    summary="Switch a tag off",
    who=("merchant",),
    scope="shops:write",
    errors=(TagRevoked,),
)
async def suspend_tag(call: Call[Services], tag_id: UUID) -> TagView:
    """Nobody pays at it until it is switched on again, also by a tap from before."""
    changed = await call.services.tags.switch(call.principal.owner_id, tag_id, on=False)
    return tag_view(changed)


@operation(
    "POST",
    "/v1/tags/{tag_id}/resume",
    tag="Tags",
    summary="Switch a tag on again",
    who=("merchant",),
    scope="shops:write",
    errors=(TagRevoked,),
)
async def resume_tag(call: Call[Services], tag_id: UUID) -> TagView:
    """Of one that was switched off, or that is blocked because of wrong links."""
    changed = await call.services.tags.switch(call.principal.owner_id, tag_id, on=True)
    return tag_view(changed)


@operation(
    "POST",
    "/v1/tags/{tag_id}/revoke",
    tag="Tags",
    summary="Revoke a tag",
    who=("merchant",),
    scope="shops:write",
)
async def revoke_tag(call: Call[Services], tag_id: UUID) -> TagView:
    """For good: it is lost, or its chip is to be another tag. It stays in the list."""
    return tag_view(await call.services.tags.revoke(call.principal.owner_id, tag_id))


OPERATIONS = (
    create_tag,
    list_tags,
    get_tag,
    update_tag,
    get_tag_keys,
    suspend_tag,
    resume_tag,
    revoke_tag,
)
