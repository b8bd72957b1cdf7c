"""What pyproject.toml cannot say: the folder `configs` is packed as audiocnn/configs."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["audiocnn*"]), "audiocnn.configs"],
    package_dir={"audiocnn.configs": "configs"},
)
