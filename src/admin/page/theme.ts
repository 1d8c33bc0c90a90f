import { choice } from './elements.ts';

const KEY = 'relayd-theme';
const CHOICES = [['auto', 'Auto'], ['light', 'Light'], ['dark', 'Dark']] as const;
type Theme = (typeof CHOICES)[number][0];

/** The switch between light, dark and what the system says, which is remembered; the page's root carries what holds now. */
export function themeSwitch(onChange: () => void): HTMLElement {
  const system = matchMedia('(prefers-color-scheme: dark)');
  let chosen = stored();
  const apply = (): void => {
    document.documentElement.dataset['theme'] = chosen === 'auto' ? (system.matches ? 'dark' : 'light') : chosen;
    onChange();
  };
  system.addEventListener('change', apply);
  apply();
  return choice('Colours', CHOICES, chosen, (theme) => {
    chosen = theme;
    localStorage.setItem(KEY, theme);
    apply();
  });
}

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return CHOICES.find(([theme]) => theme === text)?.[0] ?? 'auto';
}
