"""``KeyControls``: what a test may do with the emulator's signing keys."""

from camunda_entra_fastapi.testing.protocol.keys import SigningKey
from camunda_entra_fastapi.testing.world.world import World


class KeyControls:
    """The part of ``EntraEmulator`` that rotates keys, and takes them out of the documents and back."""

    world: World

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """The keys, of which the first one signs; published are all but the hidden ones."""
        return self.world.keys

    def rotate_keys(self, *, overlap: bool = True) -> None:
        """Sign with a new key from now on. Without overlap, the old keys are unpublished at once."""
        self.world.rotate_keys(overlap=overlap)

    def retire_keys(self) -> None:
        """Unpublish all keys but the one that signs."""
        self.world.retire_keys()

    def hide_key(self, key_id: str) -> None:
        """Leave a key out of the documents, as Entra's leave some out for hours. It signs as before.

        Args:
            key_id: The key's ``kid``, which is the ``key_id`` of one of ``keys``.

        Raises:
            ValueError: There is no such key.
        """
        self.world.hide_key(key_id)

    def show_key(self, key_id: str) -> None:
        """Have a hidden key in the documents again.

        Args:
            key_id: The key's ``kid``.

        Raises:
            ValueError: There is no such key.
        """
        self.world.show_key(key_id)
