let isHandedOver = false;
try {
  isHandedOver = window.opener.goOn(location.pathname + location.search);
} catch { /* No window, or another site's, opened this one. */ }
if (isHandedOver) window.close();
else location.replace(document.querySelector("a.first").href);
