/** Two peers and the relay between them. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="#2456c7"/>
<path d="M7 22 16 10 25 22" fill="none" stroke="#bcd0ff" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/>
<circle cx="16" cy="10" r="4" fill="#fff"/><circle cx="7" cy="22" r="3" fill="#fff"/><circle cx="25" cy="22" r="3" fill="#fff"/>
</svg>
`;
