useradd --create-home --shell /bin/sh olduser
useradd --create-home --shell /bin/sh oldlocked
