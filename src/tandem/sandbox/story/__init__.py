"""The story: people and shops pay each other over real HTTP, every step shown and checked.

    async with stage(url, operator_key, clock, entropy, console) as scene:
        await play(scene)

It knows the API as any client does: by its URL and by keys. What does not come out as it should
raises `StoryBroke`.
"""

from tandem.sandbox.story.cast import Cast, Scene, stage
from tandem.sandbox.story.errors import StoryBroke
from tandem.sandbox.story.play import play
from tandem.sandbox.story.shop import checkout

__all__ = ["Cast", "Scene", "StoryBroke", "checkout", "play", "stage"]
