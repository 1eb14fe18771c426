"""The story, scene by scene."""

from tandem.sandbox.story import books, shop
from tandem.sandbox.story.cast import Scene
from tandem.sandbox.story.friends import friends
from tandem.sandbox.story.tap import tap


async def play(scene: Scene) -> None:
    """Play everything from the first payment to the trial balance. Raises `StoryBroke`."""
    coffees = await shop.dynamic_code(scene)
    await shop.static_code(scene)
    await shop.pay_code(scene)
    await shop.in_parts(scene)
    refunded = await shop.refunds(scene, coffees["id"])
    await friends(scene)
    await shop.declined(scene)
    await shop.refused_way(scene)
    await tap(scene)
    await books.receipts(scene, refunded)
    await books.histories(scene)
    await books.entries(scene)
    await books.trial_balance(scene)
