"""Takes the version from package.xml, where the ROS release tools raise it; everything else is in pyproject.toml."""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import setup

package = ElementTree.parse(Path(__file__).with_name("package.xml"))
setup(version=package.findtext("version"))
