// Light or dark: the system decides until the person does. The choice is kept for the next visit.
(() => {
  const KEY = "playground-theme";
  const BAR = { light: "#ffffff", dark: "#212121" };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be switched off in the browser; the page works without it
    }
  }

  function show() {
    root.dataset.theme = stored() ?? (system.matches ? "dark" : "light");
    document.querySelector("meta[name=theme-color]")?.setAttribute("content", BAR[root.dataset.theme]);
  }

  window.toggleTheme = () => {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      // Back on the system's own side, the choice is dropped and the system is followed again.
      if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      root.dataset.theme = next;
      return;
    }
    show();
  };

  system.addEventListener("change", show);
  show();
})();
