"""Import of sources into a catalogue: readers, inspection of images, report."""
